//! All mistakes of a function are reported in one build.

#[hype::function(retries = 3)]
pub async fn everything<'a, T>(&self, name: &'a str, (left, right): (T, T)) -> &'a str
where
    T: Clone,
{
    name
}

fn main() {}
