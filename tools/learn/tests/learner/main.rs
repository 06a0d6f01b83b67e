//! What a learner does and sees. All of it is one program, whose tests wait
//! while others count or compile.

mod moves;
#[cfg(unix)]
mod terminal;
