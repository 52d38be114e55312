//! The slots of a schedule, compared with a scan over every minute that shares no code with them, and with expressions written by hand. And
//! its laws, over random histories.
//! Blackouts have a scan of their own.

mod blackouts;
mod brute;
mod by_hand;
mod laws;
