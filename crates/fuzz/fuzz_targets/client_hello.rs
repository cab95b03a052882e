#![cfg_attr(fuzzing, no_main)]

polygate_fuzz::binary!(polygate_fuzz::client_hello);
