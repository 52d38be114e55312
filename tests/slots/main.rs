//! When a schedule runs, against a scan over every minute that shares no code with it, and against expressions written by hand.

mod brute;
mod by_hand;
