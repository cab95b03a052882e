//! Configurations that change while connections are open, and the end of a worker.

use std::sync::{Arc, Mutex};

use polygate_chain::Phase;
use serde_json::json;
use tokio::time::sleep;

use crate::tests::{GET, OK, plugin, run, seconds, secs, settle, setup};

#[test]
fn a_request_keeps_the_configuration_that_it_began_with() {
    run(async {
        let slow = |label: &'static str| {
            plugin("slow", &[Phase::Access, Phase::Response], async move |exchange| {
                sleep(secs(5)).await;
                exchange.response.headers.append("X-Seen", label);
                Ok(())
            })
        };
        let mut old = setup();
        old.plugins.push(slow("old"));
        let mut new = setup();
        new.plugins.push(slow("new"));
        let world = old.open();
        world.upstream().answer_all(OK);
        let mut client = world.client();
        client.send(GET).await;
        settle().await;
        world.gateway.store(Arc::new(new.gateway()));
        for label in ["old", "new"] {
            let answer = client.answer().await;
            assert_eq!(answer.headers("X-Seen").collect::<Vec<_>>(), [label; 2]);
            client.send(GET).await;
        }
    });
}

#[test]
fn an_idle_connection_has_the_new_one() {
    run(async {
        let world = setup().open();
        world.upstream().answer_all(OK);
        let mut client = world.client();
        client.send(GET).await;
        assert_eq!(client.answer().await.status(), 200);
        let mut new = setup();
        new.route["paths"] = json!(["/elsewhere"]);
        world.gateway.store(Arc::new(new.gateway()));
        client.send(GET).await;
        assert_eq!(client.answer().await.status(), 404);
    });
}

/// With keep-alive switched off meanwhile, the connection still ends.
#[test]
fn keep_alive_that_is_switched_off_between_two_requests() {
    run(async {
        let world = setup().open();
        let (_upstream, mut client, mut connection) = world.asked().await;
        let mut new = setup();
        new.settings.keepalive_timeout = std::time::Duration::ZERO;
        world.gateway.store(Arc::new(new.gateway()));
        connection.send(OK).await;
        assert_eq!(client.answer().await.status(), 200);
        let (waited, _) = seconds(client.rest()).await;
        assert_eq!(waited, 0);
    });
}

#[test]
fn a_worker_ends_when_its_log_phases_have() {
    run(async {
        let logged = Arc::new(Mutex::new(0));
        let mut setup = setup();
        setup.globals.push(plugin("slow", &[Phase::Log], {
            let logged = logged.clone();
            async move |_| {
                sleep(secs(5)).await;
                *logged.lock().unwrap() += 1;
                Ok(())
            }
        }));
        let world = setup.open();
        world.upstream().answer_all(OK);
        let mut client = world.client();
        for _ in 0..3 {
            client.send(GET).await;
            client.answer().await;
        }
        let (waited, ()) = seconds(world.worker.thread.log_phases.drain()).await;
        assert_eq!((waited, *logged.lock().unwrap()), (5, 3), "side by side");
        client.send(GET).await;
        assert_eq!(client.answer().await.status(), 200, "its log phase is dropped");
        sleep(secs(10)).await;
        assert_eq!(*logged.lock().unwrap(), 3);
    });
}
