//! `strftime_now`: a given moment written by Python's format codes.

/// A moment, and where the clock on the wall stands then. The caller asks the clock; a template only formats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Now {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    pub unix_secs: i64,
    /// What the local clock is ahead of UTC.
    pub utc_offset_secs: i32,
}

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A moment taken apart, Gregorian.
struct Civil {
    year: i64,
    /// 0 is January.
    month: usize,
    /// 1 is the first.
    day: i64,
    /// 0 is the first of January.
    day_of_year: i64,
    /// 0 is Sunday.
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Now {
    /// Python's `datetime.strftime` in the C locale. An unknown code stands for itself.
    pub fn format(&self, format: &str) -> String {
        let t = self.civil();
        let mut text = String::new();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                text.push(c);
                continue;
            }
            match chars.next() {
                // glibc's, and common in templates: no leading zero.
                Some('-') => match chars.next() {
                    Some(code) => {
                        let padded = self.code(&t, code);
                        text.push_str(match padded.trim_start_matches(['0', ' ']) {
                            "" => "0",
                            bare => bare,
                        });
                    }
                    None => text.push_str("%-"),
                },
                Some(code) => text.push_str(&self.code(&t, code)),
                None => text.push('%'),
            }
        }
        text
    }

    fn code(&self, t: &Civil, code: char) -> String {
        let hour12 = (t.hour + 11) % 12 + 1;
        match code {
            'Y' => format!("{}", t.year),
            'C' => format!("{:02}", t.year.div_euclid(100)),
            'y' => format!("{:02}", t.year.rem_euclid(100)),
            'm' => format!("{:02}", t.month + 1),
            'B' => MONTHS[t.month].into(),
            'b' | 'h' => MONTHS[t.month][..3].into(),
            'd' => format!("{:02}", t.day),
            'e' => format!("{:2}", t.day),
            'j' => format!("{:03}", t.day_of_year + 1),
            'A' => DAYS[t.weekday].into(),
            'a' => DAYS[t.weekday][..3].into(),
            'w' => format!("{}", t.weekday),
            'u' => format!("{}", (t.weekday + 6) % 7 + 1),
            'H' => format!("{:02}", t.hour),
            'I' => format!("{hour12:02}"),
            'k' => format!("{:2}", t.hour),
            'l' => format!("{hour12:2}"),
            'M' => format!("{:02}", t.minute),
            'S' => format!("{:02}", t.second),
            'f' => "000000".into(),
            'p' => if t.hour < 12 { "AM" } else { "PM" }.into(),
            's' => format!("{}", self.unix_secs),
            // Python's `now()` knows no time zone.
            'Z' | 'z' => String::new(),
            'c' => self.format("%a %b %e %H:%M:%S %Y"),
            'D' | 'x' => self.format("%m/%d/%y"),
            'F' => self.format("%Y-%m-%d"),
            'T' | 'X' => self.format("%H:%M:%S"),
            'R' => self.format("%H:%M"),
            'r' => self.format("%I:%M:%S %p"),
            'n' => "\n".into(),
            't' => "\t".into(),
            '%' => "%".into(),
            other => format!("%{other}"),
        }
    }

    /// Days to dates. <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
    fn civil(&self) -> Civil {
        let local_secs = self.unix_secs.saturating_add(i64::from(self.utc_offset_secs));
        let (days, secs) = (local_secs.div_euclid(86_400), local_secs.rem_euclid(86_400));

        // The year starts in March here, so that the day a leap year adds is its last; eras have 400 years.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_march_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_march_year + 2) / 153;
        let month = (march_month + 2) % 12;
        let year = year_of_era + 400 * era + i64::from(month < 2);

        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let day_of_year = match month {
            0 | 1 => day_of_march_year - 306,
            _ => day_of_march_year + 59 + i64::from(leap),
        };
        Civil {
            year,
            month: usize::try_from(month).expect("0 ..= 11"),
            day: day_of_march_year - (153 * march_month + 2) / 5 + 1,
            day_of_year,
            weekday: usize::try_from((days + 4).rem_euclid(7)).expect("0 ..= 6"),
            hour: secs / 3600,
            minute: secs / 60 % 60,
            second: secs % 60,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Now;

    /// Expected by Python 3.11: `datetime.fromtimestamp(unix_secs, timezone.utc).replace(tzinfo=None).strftime(format)`.
    #[test]
    fn equals_python() {
        let check = |unix_secs, format, expected: &str| {
            assert_eq!(Now { unix_secs, utc_offset_secs: 0 }.format(format), expected, "{unix_secs} {format}");
        };
        let all = "%Y %y %C %m %B %b %d %e %j %A %a %w %u %H %I %M %S %f %p %% %F %T %D %R [%Z%z] %-d %-m %-H";
        check(
            0,
            all,
            "1970 70 19 01 January Jan 01  1 001 Thursday Thu 4 4 00 12 00 00 000000 AM % 1970-01-01 00:00:00 01/01/70 00:00 [] 1 1 0",
        );
        check(
            1_709_214_305,
            all,
            "2024 24 20 02 February Feb 29 29 060 Thursday Thu 4 4 13 01 45 05 000000 PM % 2024-02-29 13:45:05 02/29/24 13:45 [] 29 2 13",
        );
        check(
            1_735_689_599,
            all,
            "2024 24 20 12 December Dec 31 31 366 Tuesday Tue 2 2 23 11 59 59 000000 PM % 2024-12-31 23:59:59 12/31/24 23:59 [] 31 12 23",
        );
        check(4_107_542_400, "%d %b %Y, %A, day %j", "01 Mar 2100, Monday, day 060");
        check(-1, "%c", "Wed Dec 31 23:59:59 1969");
        check(0, "100%", "100%");
    }

    #[test]
    fn the_local_clock_counts() {
        assert_eq!(Now { unix_secs: 0, utc_offset_secs: -3600 }.format("%F %H"), "1969-12-31 23");
        assert_eq!(Now { unix_secs: i64::MAX, utc_offset_secs: 1 }.format("%H:%M").len(), 5);
    }
}
