use crate::{error::Result, session::Session, protocol::*, store::Cancel};
pub(super) async fn generate(_: &mut Session, _: &GenerateOptions, _: &Cancel) -> Result<()> { Ok(()) }
pub(super) async fn bench(_: &mut Session, _: BenchOptions, _: &Cancel) -> Result<()> { Ok(()) }
