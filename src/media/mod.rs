//! Pictures from and to the outside: files, standard input and output, sizes.

pub mod scale;
