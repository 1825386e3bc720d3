//! The host that is measured. Does one work with one plugin, and prints what each part of it took
//! as lines of JSON on standard output; the Go host takes the same arguments and prints the same
//! lines. Judges nothing.
//!
//! ```text
//! {"metric":"launch","unit":"us","samples":[4211.7,4190.2]}     what was measured
//! {"state":"idle","pids":[4711]}                                look at these plugins now; goes on after a line on standard input
//! {"cannot":"why"}                                              this host does no such work
//! ```

mod arguments;
mod calls;
mod fleet;
mod launches;
mod lines;
mod report;
mod session;

use anyhow::Result;
use clap::Parser;

use arguments::{Arguments, Work};

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.plaintext {
        return report::cannot("this host calls plugins over mutual TLS only");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.work {
            Work::Launch => launches::run(&arguments).await,
            Work::Unary => calls::unary(&arguments).await,
            Work::Stream => calls::stream(&arguments).await,
            Work::Log => lines::run(&arguments).await,
            Work::Fleet => fleet::run(&arguments).await,
        }
    })
}
