fn main() {
    std::process::exit(pair::run(pair::client::run(std::env::args().skip(1))));
}
