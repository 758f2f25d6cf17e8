// Maps in f32: 16 bytes of four channels.
alias Pack = vec4<f32>;
const PACK_BITS: u32 = 32u;
fn unpack(v: Pack) -> vec4<f32> { return v; }
fn packed(v: vec4<f32>) -> Pack { return v; }
