//! The program: reads the command line, does it, and says how it went by its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    worker::web::install();
    ExitCode::from(worker::cli::main(std::env::args_os()).code())
}
