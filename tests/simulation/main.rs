//! The shipped `Pass` and `decide` in a world of their own: `model` explores every state within bounds, `walks` wanders far beyond them at
//! random. Around the pass stand an API server, caches, a service, a clock, crashes and people; a judge says what must hold. No rule of the
//! operator is written again here, and no order of its requests.
//!
//! The full bounds of the model are those of a release build: `cargo test --release --test simulation model`.

mod model;
mod walks;
