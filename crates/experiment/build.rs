//! A new experiment file is built in without being named anywhere.

fn main() {
    println!("cargo:rerun-if-changed=experiments");
}
