//! A client and a server over one library, so that two programs have much code in common.

pub mod client;
pub mod server;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs `task` on a runtime of its own and turns a failure into a message and an exit code.
pub fn run<F>(task: F) -> i32
where
    F: std::future::Future<Output = Result<(), Failure>>,
{
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return 1;
        }
    };
    match runtime.block_on(task) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("{error}");
            1
        }
    }
}
