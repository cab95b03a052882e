use std::collections::HashMap;

use polygate_model::Id;

use super::*;

fn slots(weights: &[u32]) -> Vec<Slot> {
    let slot = |(number, &weight): (u8, &u32)| Slot {
        peer: Arc::new(Peer::new(Id::nil(), ([10, 0, 0, number], 80).into(), "a".into())),
        weight,
    };
    (1..).zip(weights).map(slot).collect()
}

fn any(slot: &Slot) -> bool {
    slot.weight > 0
}

/// The last number of the address of what is selected.
fn select(selector: &Selector, slots: &[Slot], key: &str, usable: impl Fn(&Slot) -> bool) -> Option<u8> {
    let random = Random::new(7);
    let request = Request { key: key.as_bytes(), now: Instant::now(), random: &random };
    selector.select(slots, &request, usable).map(number)
}

fn number(slot: &Slot) -> u8 {
    match slot.peer.address.ip() {
        std::net::IpAddr::V4(ip) => ip.octets()[3],
        std::net::IpAddr::V6(_) => unreachable!("the tests use IPv4"),
    }
}

fn count(numbers: impl Iterator<Item = u8>) -> HashMap<u8, usize> {
    numbers.fold(HashMap::new(), |mut counts, number| {
        *counts.entry(number).or_default() += 1;
        counts
    })
}

#[test]
fn round_robin_shares_by_weight_in_shuffled_order() {
    let slots = slots(&[100, 200, 0, 300]);
    let wheel = |seed| Selector::new(Algorithm::RoundRobin, &slots, &Random::new(seed));
    let turn = |selector: &Selector| -> Vec<u8> {
        (0..6).map(|_| select(selector, &slots, "", any).unwrap()).collect()
    };
    let first = wheel(1);
    let order = turn(&first);
    assert_eq!(count(order.iter().copied()), HashMap::from([(1, 1), (2, 2), (4, 3)]));
    assert_eq!(turn(&first), order, "each turn of the wheel is alike");
    assert!((2..9).any(|seed| turn(&wheel(seed)) != order), "the order depends on the seed");
    assert_eq!(select(&first, &slots, "", |slot| number(slot) == 2), Some(2));
    assert_eq!(select(&first, &slots, "", |_| false), None);
}

#[test]
fn odd_weights_do_not_make_a_huge_wheel() {
    let slots = slots(&[65_535, 65_534, 1, 0]);
    let wheel = Wheel::new(&slots, &Random::new(1));
    assert!(wheel.spokes.len() as u64 <= MAX_SPOKES + 1, "{}", wheel.spokes.len());
    assert_eq!(wheel.spokes.iter().filter(|position| **position == 2).count(), 1);
    assert_eq!(wheel.spokes.iter().filter(|position| **position == 3).count(), 0);
}

#[test]
fn nothing_to_choose_from_is_no_choice() {
    let algorithms = [
        Algorithm::RoundRobin,
        Algorithm::LeastConnections,
        Algorithm::ConsistentHashing,
        Algorithm::Latency,
    ];
    for algorithm in algorithms {
        for slots in [slots(&[]), slots(&[0, 0])] {
            let selector = Selector::new(algorithm, &slots, &Random::new(1));
            assert_eq!(select(&selector, &slots, "k", any), None, "{algorithm:?}");
        }
    }
}

#[test]
fn least_connections_weighs_the_load() {
    let slots = slots(&[100, 200]);
    let pick = |_| {
        let chosen = select(&Selector::LeastConnections, &slots, "", any).unwrap();
        slots[usize::from(chosen) - 1].peer.connect();
        chosen
    };
    assert_eq!(count((0..9).map(pick)), HashMap::from([(1, 3), (2, 6)]));
    slots[0].peer.disconnect();
    slots[0].peer.disconnect();
    assert_eq!(select(&Selector::LeastConnections, &slots, "", any), Some(1));
}

#[test]
fn a_key_stays_with_its_peer() {
    let all = slots(&[100; 5]);
    let ring = |slots: &[Slot]| Selector::new(Algorithm::ConsistentHashing, slots, &Random::new(1));
    let full = ring(&all);
    let keys: Vec<_> = (0..2000).map(|number| format!("user-{number}")).collect();
    let home = |key: &String| select(&full, &all, key, any).unwrap();
    let shares = count(keys.iter().map(home));
    assert!(shares.len() == 5 && shares.values().all(|share| (250..600).contains(share)), "{shares:?}");

    let mut reversed = all.clone();
    reversed.reverse();
    let other_node = ring(&reversed);
    let fewer = &all[..4];
    let without_five = ring(fewer);
    for key in &keys {
        assert_eq!(select(&other_node, &reversed, key, any), Some(home(key)), "order does not matter");
        let skipped = select(&full, &all, key, |slot| number(slot) != 5).unwrap();
        let removed = select(&without_five, fewer, key, any).unwrap();
        if home(key) == 5 {
            assert_eq!(skipped, removed, "both go on to the next point");
        } else {
            assert_eq!((skipped, removed), (home(key), home(key)), "others stay");
        }
    }
}

#[test]
fn the_ring_gives_shares_by_weight() {
    let slots = slots(&[100, 300]);
    let ring = Selector::new(Algorithm::ConsistentHashing, &slots, &Random::new(1));
    let shares = count((0..4000).map(|number| select(&ring, &slots, &format!("k{number}"), any).unwrap()));
    assert!((700..1400).contains(&shares[&1]), "{shares:?}");
}

#[test]
fn the_quicker_of_two_gets_the_request() {
    let slots = slots(&[1, 1]);
    let now = Instant::now();
    slots[0].peer.observe(std::time::Duration::from_millis(900), now);
    slots[1].peer.observe(std::time::Duration::from_millis(9), now);
    for _ in 0..10 {
        assert_eq!(select(&Selector::Latency, &slots, "", any), Some(2));
    }
    assert_eq!(select(&Selector::Latency, &slots, "", |slot| number(slot) == 1), Some(1));
}

#[test]
fn latency_counts_by_weight_and_by_what_is_under_way() {
    let now = Instant::now();
    let observed = |slots: &[Slot], millis: &[u64]| {
        for (slot, &millis) in slots.iter().zip(millis) {
            slot.peer.observe(std::time::Duration::from_millis(millis), now);
        }
    };
    let chosen = |slots: &[Slot]| select(&Selector::Latency, slots, "", any);
    let weighed = slots(&[100, 1]);
    observed(&weighed, &[100, 20]);
    assert_eq!(chosen(&weighed), Some(1), "it is to get a hundred times as much");
    let busy = slots(&[1, 1]);
    observed(&busy, &[100, 150]);
    busy[0].peer.connect();
    assert_eq!(chosen(&busy), Some(2));
}

#[test]
fn a_newcomer_is_taken_for_one_like_the_others() {
    let slots = slots(&[1, 1, 1]);
    let now = Instant::now();
    slots[0].peer.observe(std::time::Duration::from_millis(100), now);
    slots[1].peer.observe(std::time::Duration::from_millis(300), now);
    let among =
        |numbers: [u8; 2]| select(&Selector::Latency, &slots, "", |slot| numbers.contains(&number(slot)));
    assert_eq!((among([1, 3]), among([2, 3])), (Some(1), Some(3)), "200 ms");
}
