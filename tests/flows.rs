//! End-to-end stories of the shipped flows, one file per pairing, over real sockets and on virtual time.
//!
//! A story is the real engine with the shipped definitions and its real transport, between simulated systems that listen on
//! loopback ports, both ways: calls and webhooks. Only its clock and its secrets are simulated. It goes like this:
//!
//! ```text
//! let mut story = Script::new("2026-03-16T08:00:00Z", SITE)   // a whole site file; base URLs are made-up host names
//!     .system("http://collector", &collector)                  // who answers there
//!     .notifies(&collector)                                     // and sends webhooks to the engine
//!     .system("http://erp", &erp)
//!     .secret("token", "token-value")                           // what the site file's secrets are
//!     .entry("customers", &id, json!({ "syspro": "0000417" }))  // matching tables that are filled first
//!     .check("to the cent", move || books(&collector, &erp))    // what must hold in the end: differences, in words
//!     .start().await;
//! lock(&collector).confirm(&payment, story.now()).unwrap();     // something happens in the source
//! story.send(&Sending::default()) …                             // see `Collector`s verbs; due webhooks go out by themselves
//! story.settle(3).await;                                        // three deliveries made, none of them under way
//! story.end().await;                                            // books, sums of states, hash chain
//! ```
//!
//! **Time** moves only while a story waits ([`Story::until`], [`Story::settle`], [`Story::pass`]), and only when nothing else
//! moves: no call is under way, no webhook is being put, nothing is being written, and every thread of the engine sleeps. Then
//! it moves to the next moment at which the engine, a simulator or a webhook's repeat has something to do. So a story has the
//! same end on a busy machine, nothing in it sleeps, and a night's outage takes milliseconds. Conditions are looked at when
//! nothing moves, too.
//!
//! **Base URLs** in the site file are names, as in life; the story knows the port that each of them leads to. Addresses which
//! systems show or check are made of the same names.
//!
//! **Webhooks** are signed by the simulator and put to the listener of the engine that runs at the moment, each by a connection
//! of its own, with the status going back to the simulator, so repeats after an outage are the simulator's own. `Sending` of the
//! GoCardless simulator mixes their order and sends some twice; [`Story::receive`] puts any request to the engine, a tampered
//! one for instance.
//!
//! **Trouble on the network** ([`Story::strike`], [`Story::down`]) is told by system and by a text in the URL or the body that
//! says which call: refused, cut before or after the effect, answered by somebody else, or frozen. It is done to the connection:
//! the kernel refuses it, it is closed without an answer, or nothing ever comes. What a system itself does wrong (locks, sessions
//! ended by somebody else, tokens that expire, answers that break off) is a fault of its simulator: use its `faults`. An answer
//! that would come after minutes is a connection that is cut: what the caller knows is the same, and nobody waits.
//!
//! **A crash** ([`Story::crash`], [`Story::crash_during`]) takes the engine away without a word, with its connections and
//! everything on them, and starts another one on what is on disk; `crash_during` waits for a call to be under way first, which
//! is the moment between claim and settle, either before or after the call has had its effect. `tests/kill.rs` kills the
//! program itself.
//!
//! **What a pairing's file should tell**, for each flow: the ordinary load with duplicates and in any order; the target down
//! and back; answers cut off after the effect; a session or token that ends in the middle; a crash in the middle. Each ends in
//! [`Story::end`], which asks the books of both sides and not the engine.

pub(crate) mod collector;
mod life;
mod network;
mod oracle_ebs_gocardless;
mod reconciled;
mod sage_x3_gocardless;
mod story;
mod syspro_gocardless;
mod syspro_paychex;

pub(crate) use network::{Moment, Trouble};
pub(crate) use story::{Script, Story};
