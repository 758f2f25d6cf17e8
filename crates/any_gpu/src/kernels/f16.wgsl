// Maps in halves: 8 bytes of four channels, converted by functions that every device has.
alias Pack = vec2<u32>;
const PACK_BITS: u32 = 16u;
fn unpack(v: Pack) -> vec4<f32> { return vec4(unpack2x16float(v.x), unpack2x16float(v.y)); }
fn packed(v: vec4<f32>) -> Pack { return vec2(pack2x16float(v.xy), pack2x16float(v.zw)); }
