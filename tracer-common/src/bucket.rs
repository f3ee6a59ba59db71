//! The buckets of histograms: log-linear, 32 to each power of two, so that a bucket is at most 1/32
//! as wide as its lower bound. They cover every `u64`.

/// Buckets to a power of two.
const PER_POWER: u64 = 1 << POWER;
const POWER: u32 = 5;

/// How many buckets there are.
pub const BUCKETS: u32 = bucket_of(u64::MAX) + 1;

/// The bucket that holds `value`. Values below 64 have one of their own.
#[inline(always)]
pub const fn bucket_of(value: u64) -> u32 {
    let power = log2(value | (PER_POWER - 1));
    if power < POWER {
        return value as u32;
    }
    let shift = power - POWER;
    (shift << POWER) + (value >> shift) as u32
}

/// The smallest value that a bucket holds.
pub const fn bucket_low(bucket: u32) -> u64 {
    let shift = match (bucket >> POWER).checked_sub(1) {
        None | Some(0) => return bucket as u64,
        Some(shift) => shift,
    };
    (PER_POWER + (bucket as u64 & (PER_POWER - 1))) << shift
}

/// The largest value that a bucket holds.
pub const fn bucket_high(bucket: u32) -> u64 {
    if bucket + 1 >= BUCKETS {
        u64::MAX
    } else {
        bucket_low(bucket + 1) - 1
    }
}

/// The position of the highest bit, by halves: the kernel's machine has no instruction for it.
#[inline(always)]
const fn log2(value: u64) -> u32 {
    let mut value = value;
    let mut power = 0;
    if value >> 32 != 0 {
        value >>= 32;
        power += 32;
    }
    if value >> 16 != 0 {
        value >>= 16;
        power += 16;
    }
    if value >> 8 != 0 {
        value >>= 8;
        power += 8;
    }
    if value >> 4 != 0 {
        value >>= 4;
        power += 4;
    }
    if value >> 2 != 0 {
        value >>= 2;
        power += 2;
    }
    if value >> 1 != 0 {
        power += 1;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_join_and_are_narrow() {
        assert_eq!(BUCKETS, 1920);
        assert_eq!(bucket_low(0), 0);
        for bucket in 0..BUCKETS {
            let (low, high) = (bucket_low(bucket), bucket_high(bucket));
            assert_eq!((bucket_of(low), bucket_of(high)), (bucket, bucket));
            assert!(u128::from(high - low) * 32 < u128::from(low.max(32)));
            if bucket + 1 < BUCKETS {
                assert_eq!(high + 1, bucket_low(bucket + 1));
            }
        }
        assert_eq!(bucket_high(BUCKETS - 1), u64::MAX);
    }

    #[test]
    fn an_hour_is_well_inside() {
        let hour = 3_600_000_000_000;
        let bucket = bucket_of(hour);
        assert!(bucket_low(bucket) <= hour && hour <= bucket_high(bucket));
        assert!(bucket < BUCKETS - 600);
    }
}
