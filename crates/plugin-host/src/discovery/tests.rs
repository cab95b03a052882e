use super::*;
use crate::settings::tests::settings;

fn server(query: Query) -> ServerSettings {
    ServerSettings { query, ..settings() }
}

fn all(command: &str) -> ServerSettings {
    server(Query::All(command.into()))
}

#[tokio::test]
async fn servers_are_asked_at_once_and_answer_in_order() {
    // Each waits for a file that the other makes: one after the other they would never end.
    let place = tempfile::tempdir().expect("a directory");
    let command = |mine: &str, other: &str| {
        let place = place.path().display();
        all(&format!(
            r#"touch {place}/{mine}; until [ -e {place}/{other} ]; do :; done; echo '[{{"Name":"{mine}"}}]'"#
        ))
    };
    let answers = discover(&[command("a", "b"), server(Query::None), command("b", "a")]).await;
    let names: Vec<_> =
        answers.iter().map(|it| it.outcome.as_ref().expect("answers").plugins[0].name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[tokio::test]
async fn the_exit_code_is_ignored_when_the_dump_is_there() {
    let answers = discover(&[all(r#"echo warning; echo '[{"Name":"x"}]'; exit 3"#)]).await;
    assert_eq!(answers[0].outcome.as_ref().expect("answers").plugins[0].name, "x");
    let output = answers[0].output.as_ref().expect("it ended");
    assert_eq!((output.status.code(), output.stdout.starts_with(b"warning\n")), (Some(3), true));
}

#[tokio::test]
async fn an_error_names_command_end_and_standard_error() {
    let answers = discover(&[all("echo oops >&2; exit 3")]).await;
    let error = answers[0].outcome.as_ref().expect_err("has no dump").to_string();
    assert_eq!(
        error,
        "query command `echo oops >&2; exit 3`: no plugin information in the output: (nothing); exit 3, standard error: oops"
    );
}

#[tokio::test]
async fn the_old_style_asks_for_each_plugin() {
    // {"Name": "one"} in MessagePack, and what go-pluginserver prints for a plugin it cannot load.
    let commands = ["printf '\\201\\244Name\\243one'", "printf '\\201\\244Name\\240'", "echo usage"];
    let commands = commands.map(str::to_owned).to_vec();
    let answers = discover(&[server(Query::Each(commands))]).await;
    let dump = answers[0].outcome.as_ref().expect("answers");
    assert_eq!(dump.plugins.len(), 1);
    assert_eq!(dump.plugins[0].name, "one");
}
