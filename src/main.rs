//! The binary: agent and command line in one.

fn main() {
    std::process::exit(phoneprov::cli::main(std::env::args_os()));
}
