use expect_test::expect;

use super::*;

#[track_caller]
fn help_of(name: &str) -> String {
    help(COMMANDS.iter().find(|command| command.name == name).expect(name))
}

#[test]
fn the_overview_lists_the_commands() {
    expect![[r#"
        Usage: polygate COMMAND [OPTIONS]

        The available commands are:
          check         Check a configuration file and all that it names
          config        Make or check a declarative file
          docker-start  Start as the main process of a container
          doctor        Ask each plugin server what it offers, tell what is wrong
          health        Tell whether the gateway runs
          migrations    Do nothing, as there is no database
          plugins       Show the plugin servers of the running gateway
          prepare       Make the prefix directory without starting
          quit          Stop after the requests under way
          reload        Put a changed configuration into effect
          restart       Stop and start
          start         Start the gateway
          stop          Stop at once
          vault         Show the value that a reference stands for
          version       Print the version

        Options:
          --help        show the options of a command
          --v           verbose
          --vv          debug
    "#]]
    .assert_eq(&overview());
}

#[test]
fn every_command_explains_itself() {
    expect![[r#"
        Usage: polygate start [OPTIONS]

        Start the gateway.

        Options:
          -c, --conf FILE               configuration file
          -p, --prefix DIR              override the prefix directory
              --nginx-conf FILE         ignored: there is no nginx
              --nginx-conf-flags FLAGS  ignored: there is no nginx
              --run-migrations          ignored: there is no database
              --db-timeout SEC          ignored: there is no database
              --lock-timeout SEC        ignored: there is no database
              --v                       verbose
              --vv                      debug
    "#]]
    .assert_eq(&help_of("start"));
    expect![[r#"
        Usage: polygate quit [OPTIONS]

        Stop after the requests under way.

        Options:
          -p, --prefix DIR              override the prefix directory
          -t, --timeout SEC             stop forcefully after this time (default 10)
          -w, --wait SEC                wait before anything is done (default 0)
              --v                       verbose
              --vv                      debug
    "#]]
    .assert_eq(&help_of("quit"));
    expect![[r#"
        Usage: polygate config init|parse|hash [FILE] [OPTIONS]

        Make or check a declarative file.

        Options:
          -c, --conf FILE               configuration file
          -p, --prefix DIR              override the prefix directory
              --v                       verbose
              --vv                      debug
    "#]]
    .assert_eq(&help_of("config"));
}
