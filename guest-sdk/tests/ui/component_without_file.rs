//! `hype::component!` needs a file with WIT text, or a component.

hype::component!("wit/missing.wit");

mod without_a_path {
    hype::component!(world = "app");
}

mod with_an_unknown_option {
    hype::component!("wit/missing.wit", interface = "app");
}

fn main() {}
