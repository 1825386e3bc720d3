//! The host that is measured. Performs one kind of work with one plugin and prints how long each
//! part took, as lines of JSON on standard output. The Go host and `bench-tonic` accept the same
//! arguments and print the same lines. Asserts nothing.
//!
//! ```text
//! {"metric":"launch","unit":"us","samples":[4211.7,4190.2]}   a measurement
//! {"state":"idle","pids":[4711]}                              measure these processes; the host
//!                                                             continues after a line of input
//! {"cannot":"why"}                                            the host does not support the work
//! ```

mod fleet;
mod launches;
mod lines;
mod session;

use anyhow::Result;
use clap::Parser;

use bench::arguments::{Arguments, Work};
use bench::report;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.plaintext {
        return report::cannot("this host calls plugins over mutual TLS only");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments.work {
            Work::Launch => launches::run(&arguments).await,
            Work::Unary | Work::Stream => session::calls(&arguments).await,
            Work::Log => lines::run(&arguments).await,
            Work::Fleet => fleet::run(&arguments).await,
        }
    })
}
