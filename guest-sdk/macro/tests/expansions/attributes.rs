#[doc(hidden)]
#[deprecated]
#[expect(unused_variables, reason = "for later")]
#[tracing::instrument]
#[hype::function]
fn old(arg: (u8,)) {}
