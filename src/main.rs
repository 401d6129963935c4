//! The `flopcast` command.

fn main() -> std::process::ExitCode {
    flopcast::cli::main()
}
