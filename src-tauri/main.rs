// Without this a console window would open beside the app on Windows.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

//! The app's entry point.

fn main() {
    backstay_app::run();
}
