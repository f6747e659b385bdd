//! Which values a saliency attack changes next.

/// The pair p ≠ q among `among` with the largest (u_p + u_q)(v_p + v_q), both factors positive; none
/// where no pair has that. Exactly what trying all d² pairs gives, without their time and memory:
/// of values that two others equal or surpass in u as well as in v none can do better in any pair
/// than one of those two, so only the rest are tried.
pub(super) fn best_pair(u: &[f64], v: &[f64], among: &[usize]) -> Option<(usize, usize)> {
    let mut order = among.to_vec();
    order.sort_by(|a, b| u[*b].total_cmp(&u[*a]).then(v[*b].total_cmp(&v[*a])));
    let (mut first, mut second) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    order.retain(|i| {
        let surpassed = v[*i] <= second;
        if v[*i] > first {
            (first, second) = (v[*i], first);
        } else if v[*i] > second {
            second = v[*i];
        }
        !surpassed
    });
    let top = u[*order.first()?];
    let (mut best, mut found) = (0.0, None);
    for (at, p) in order.iter().enumerate() {
        // No partner is better than the best in u that is the best in v as well.
        let (a, b) = (u[*p] + top, v[*p] + first);
        if a <= 0.0 || b <= 0.0 || a * b <= best {
            continue;
        }
        for q in &order[at + 1..] {
            let (a, b) = (u[*p] + u[*q], v[*p] + v[*q]);
            if a > 0.0 && b > 0.0 && a * b > best {
                best = a * b;
                found = Some((*p, *q));
            }
        }
    }
    found
}

/// The two values among `among` with the largest u, the first of equals; only those with u > 0.
pub(super) fn best_two(u: &[f64], among: &[usize]) -> Vec<usize> {
    let mut two: Vec<usize> = Vec::with_capacity(3);
    for i in among.iter().filter(|i| u[**i] > 0.0) {
        let at = two.iter().position(|k| u[*i] > u[*k]).unwrap_or(two.len());
        two.insert(at, *i);
        two.truncate(2);
    }
    two
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(u: &[f64], v: &[f64], pair: Option<(usize, usize)>) -> f64 {
        pair.map_or(0.0, |(p, q)| (u[p] + u[q]) * (v[p] + v[q]))
    }

    fn brute(u: &[f64], v: &[f64], among: &[usize]) -> Option<(usize, usize)> {
        let mut best = None;
        for (at, p) in among.iter().enumerate() {
            for q in &among[at + 1..] {
                let good = u[*p] + u[*q] > 0.0 && v[*p] + v[*q] > 0.0;
                if good && value(u, v, Some((*p, *q))) > value(u, v, best) {
                    best = Some((*p, *q));
                }
            }
        }
        best
    }

    /// Independent values, values on a coarse grid (many equal ones), and values that oppose each
    /// other, where nearly all must be tried.
    fn values() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
        let free = proptest::collection::vec((-1.0..1.0, -1.0..1.0), 1..80);
        let grid = proptest::collection::vec((-3_i32..4, -3_i32..4), 1..80);
        let opposed = proptest::collection::vec((-1.0..1.0, -0.01..0.2), 1..80);
        prop_oneof![
            free,
            grid.prop_map(|v| v.iter().map(|(a, b)| (f64::from(*a), f64::from(*b))).collect()),
            opposed.prop_map(|v| v.iter().map(|(a, b)| (*a, b - a)).collect::<Vec<(f64, f64)>>()),
        ]
        .prop_map(|pairs| pairs.into_iter().unzip())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn the_pair_is_as_good_as_the_best_of_all((u, v) in values(), skip in 0_usize..5) {
            let among: Vec<usize> = (0..u.len()).filter(|i| i % 5 != skip).collect();
            let (ours, all) = (best_pair(&u, &v, &among), brute(&u, &v, &among));
            prop_assert_eq!(ours.is_some(), all.is_some());
            prop_assert_eq!(value(&u, &v, ours), value(&u, &v, all));
            if let Some((p, q)) = ours {
                prop_assert!(p != q && among.contains(&p) && among.contains(&q));
            }
        }
    }

    #[test]
    fn the_two_steepest_are_taken_in_order() {
        let u = [0.5, -1.0, 2.0, 0.0, 2.0, 1.0];
        assert_eq!(best_two(&u, &[0, 1, 2, 3, 4, 5]), [2, 4]);
        assert_eq!(best_two(&u, &[0, 1, 3, 5]), [5, 0]);
        assert_eq!(best_two(&u, &[0, 1, 3]), [0]);
        assert!(best_two(&u, &[1, 3]).is_empty());
    }
}
