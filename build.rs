//! Cargo does not notice new files in folders that a macro embeds.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
