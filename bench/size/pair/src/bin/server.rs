fn main() {
    std::process::exit(pair::run(pair::server::run(std::env::args().skip(1))));
}
