//! What a learner does and sees. All of it is one program: some tests wait while
//! others count or compile.

#[cfg(unix)]
mod learner;
mod moves;
