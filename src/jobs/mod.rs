pub mod sorter;
