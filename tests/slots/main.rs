//! The slots of a schedule, compared with a scan over every minute that shares no code with them, and with expressions written by hand.

mod brute;
mod by_hand;
