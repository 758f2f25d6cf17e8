//! The parameter block of every kernel entry point, with the memory layout that CUDA expects.
//!
//! Each block mirrors the struct of the same name in a file of `kernels/`. This module's test compares names, order and
//! sizes of all fields with that source. Pointers are addresses on the device. Counts are as described in the kernel's
//! header. Knows no driver. Any thread may use it.

/// Declares parameter blocks, and lists their fields for the test that compares them with `kernels/`.
macro_rules! params {
    ($($(#[$about:meta])* $name:ident = $bytes:literal in $file:literal {
        $($(#[$what:meta])* $field:ident: $type:ty,)*
    })*) => {
        $(
            $(#[$about])*
            #[repr(C)]
            #[derive(Clone, Copy, Debug, Default, PartialEq)]
            pub struct $name {
                $($(#[$what])* pub $field: $type,)*
            }
            const _: () = assert!(size_of::<$name>() == $bytes);
        )*

        /// Name, file, size and fields (name and size) of every block.
        #[cfg(test)]
        pub(super) const BLOCKS: &[super::Block] = &[$(super::Block {
            name: stringify!($name),
            source: include_str!(concat!("../../../../kernels/", $file)),
            bytes: $bytes,
            fields: &[$((stringify!($field), size_of::<$type>())),*],
        }),*];
    };
}

mod block;
mod compose;
mod conv;
mod elementwise;
mod general;
mod instance_norm;
mod raw_frame;
mod steady;
mod tokens;

pub use block::KernelParams;
pub use compose::*;
pub use conv::*;
pub use elementwise::*;
pub use general::*;
pub use instance_norm::*;
pub use raw_frame::*;
pub use steady::*;
pub use tokens::*;

#[cfg(test)]
struct Block {
    name: &'static str,
    source: &'static str,
    bytes: usize,
    fields: &'static [(&'static str, usize)],
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and sizes of the fields of `struct name { .. }` in a source with one field per line.
    fn fields(source: &str, name: &str) -> Vec<(String, usize)> {
        let start = format!("struct {name} {{\n");
        let body = source.split_once(&start).expect("the struct").1;
        let body = body.split_once("\n}").expect("its end").0;
        body.lines()
            .map(|line| {
                let line = line.split("//").next().expect("a part").trim();
                let (kind, field) =
                    line.trim_end_matches(';').rsplit_once(' ').expect("a type and a name");
                let size = match kind {
                    pointer if pointer.ends_with('*') => 8,
                    "double" => 8,
                    "int" | "float" | "u32" => 4,
                    "ConvParams" => size_of::<ConvParams>(),
                    "ChainLayer" => size_of::<ChainLayer>(),
                    "LeadingLayer" => size_of::<LeadingLayer>(),
                    other => panic!("{name}.{field} has type {other}"),
                };
                // The size of an array is its number of elements times the element size.
                match field.trim_end_matches(']').split_once('[') {
                    Some((field, count)) => {
                        let count: usize = count.parse().expect("a number");
                        (field.to_owned(), count * size)
                    }
                    None => (field.to_owned(), size),
                }
            })
            .collect()
    }

    #[test]
    fn the_kernels_see_the_same_blocks() {
        let blocks = [
            tokens::BLOCKS,
            compose::BLOCKS,
            conv::BLOCKS,
            elementwise::BLOCKS,
            general::BLOCKS,
            instance_norm::BLOCKS,
            raw_frame::BLOCKS,
            steady::BLOCKS,
        ];
        assert!(blocks.iter().all(|blocks| !blocks.is_empty()));
        for block in blocks.into_iter().flatten() {
            let ours: Vec<(String, usize)> =
                block.fields.iter().map(|(field, size)| ((*field).to_owned(), *size)).collect();
            assert_eq!(ours, fields(block.source, block.name), "{}", block.name);
            let theirs = format!("static_assert(sizeof({}) == {},", block.name, block.bytes);
            assert!(block.source.contains(&theirs), "no {theirs}");
        }
    }

    #[test]
    fn a_difference_would_be_seen() {
        let source = "struct A {\n    const void* from;\n    int width;  // px\n    float eps;\n};";
        let expected = [("from", 8), ("width", 4), ("eps", 4)];
        let read = fields(source, "A");
        let read: Vec<(&str, usize)> = read.iter().map(|(f, s)| (f.as_str(), *s)).collect();
        assert_eq!(read, expected);
    }
}
