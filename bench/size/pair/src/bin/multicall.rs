//! Both programs in one file, chosen by the name under which it is called.

fn main() {
    let mut arguments = std::env::args();
    let name = arguments.next().unwrap_or_default();
    let code = match name.rsplit('/').next() {
        Some("client") => pair::run(pair::client::run(arguments)),
        Some("server") => pair::run(pair::server::run(arguments)),
        _ => {
            eprintln!("call it client or server");
            2
        }
    };
    std::process::exit(code);
}
