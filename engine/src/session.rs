//! stub
use crate::{error::Result,backend::Backend,model::Model,gguf::Gguf,protocol::{GenerateOptions,Finish}};
pub struct Session;
pub struct Start { pub n_prompt: u32, pub n_cached: u32, pub dropped: u32 }
pub enum Step { Prompt{done:u32,total:u32}, Text{text:String,thought:bool}, Done(Finish) }
impl Session {
    pub fn new(_: &Gguf, _: Model, _: Backend) -> Result<Self> { Ok(Self) }
    pub fn can_think(&self) -> bool { false }
    pub fn fallback_template(&self) -> Option<&str> { None }
    pub fn start(&mut self, _: &GenerateOptions, _: u64) -> Result<Start> { Ok(Start{n_prompt:0,n_cached:0,dropped:0}) }
    pub async fn step(&mut self) -> Result<Step> { Ok(Step::Done(Finish::End)) }
}
