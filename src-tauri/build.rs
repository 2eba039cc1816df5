fn main() {
    // A custom capabilities path switches off tauri-build's own watch of the folder.
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    if let Err(error) = tauri_build::try_build(
        tauri_build::Attributes::new().capabilities_path_pattern("src-tauri/capabilities/**/*.json"),
    ) {
        println!("cargo::error={error:#}");
    }
}
