// Package calendar reads the calendar expressions of systemd, such as "Mon..Fri *-*-* 04:00", and says whether
// systemd would. It computes no times.
//
// Format: systemd.time(7), "Calendar Events", and src/shared/calendarspec.c, of systemd 252.
package calendar

import (
	"errors"
	"math"
	"strings"
)

// Check says why an expression is none; nil if it is one. The time zone at its end is held against the form
// of such names, since which there are depends on the machine.
func Check(text string) error {
	p := parser{rest: withoutZone(text)}
	if p.rest == "" {
		return errors.New("it is empty")
	}
	switch strings.ToLower(p.rest) {
	case "minutely", "hourly", "daily", "weekly", "monthly", "quarterly",
		"annually", "yearly", "anually", "biannually", "bi-annually", "semiannually", "semi-annually":
		return nil
	}
	if fields := strings.Fields(text); len(fields) == 5 && strings.Trim(fields[0]+fields[1], "0123456789*/,-") == "" {
		return errors.New("these are the fields of cron; four in the morning of each day is *-*-* 04:00")
	}
	return p.spec()
}

// withoutZone cuts the time zone off the end.
func withoutZone(text string) string {
	i := strings.LastIndexByte(text, ' ')
	if i < 0 || !isZone(text[i+1:]) {
		return text
	}
	return text[:i]
}

func isZone(word string) bool {
	if strings.EqualFold(word, "utc") {
		return true
	}
	letters, parts := 0, strings.Count(word, "/")
	for i := 0; i < len(word); i++ {
		switch c := word[i]; {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
			letters++
			if parts == 0 && c >= 'a' {
				return false // a weekday
			}
		case i > 0 && (c >= '0' && c <= '9' || c == '/' || c == '_' || c == '-' || c == '+'):
		default:
			return false
		}
	}
	return letters > 2 && dayOf(word) < 0
}

var weekdays = [7]string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}

// dayOf is the number of the weekday that a text begins with, from 0 for Monday; -1 if it begins with none.
func dayOf(text string) int {
	for i, name := range weekdays {
		if len(text) >= 3 && strings.EqualFold(text[:3], name[:3]) {
			return i
		}
	}
	return -1
}

type parser struct{ rest string }

var (
	errWeekday = errors.New("the weekdays are Mon to Sun; ranges are written Mon..Fri, and lists Mon,Wed")
	errDate    = errors.New("the date is written *-*-* or year-month-day")
	errTime    = errors.New("the time is written hour:minute or hour:minute:second")
	errNumber  = errors.New("a number is missing; a repetition is written 0/15")
	errRange   = errors.New("a number is outside of what the date or the time allows")
)

func (p *parser) spec() error {
	if err := p.weekdays(); err != nil {
		return err
	}
	stamp, err := p.date()
	if err != nil || stamp {
		return err
	}
	return p.time()
}

// cut takes a text off the front.
func (p *parser) cut(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}

func (p *parser) at(chars string) bool {
	return p.rest != "" && strings.IndexByte(chars, p.rest[0]) >= 0
}

func (p *parser) weekdays() error {
	from := -1
	for first := true; ; first = false {
		if !first && p.at(" ") {
			return nil
		}
		day := dayOf(p.rest)
		if day < 0 {
			if first {
				return nil
			}
			return errWeekday
		}
		length := 3
		if full := len(weekdays[day]); len(p.rest) >= full && strings.EqualFold(p.rest[:full], weekdays[day]) {
			length = full
		}
		p.rest = p.rest[length:]
		if p.rest != "" && !p.at("-., ") || from > day {
			return errWeekday
		}
		ranged := from >= 0
		from = -1
		switch {
		case p.rest == "":
			return nil
		case p.at(" "):
			p.rest = strings.TrimLeft(p.rest, " ")
			return nil
		case p.cut(","):
		case ranged || !p.cut("..") && !p.cut("-"):
			return errWeekday
		default:
			from = day
		}
		// A comma at the end is taken, an open range is not.
		if p.rest == "" || p.at(" ") {
			if from >= 0 {
				return errWeekday
			}
			p.rest = strings.TrimLeft(p.rest, " ")
			return nil
		}
	}
}

// date reads the date, if there is one. stamp says that it is @ and the seconds since 1970, which end an
// expression.
func (p *parser) date() (stamp bool, err error) {
	if p.rest == "" {
		return false, nil
	}
	if p.cut("@") {
		if _, ok := p.number(); !ok || p.rest != "" {
			return false, errNumber
		}
		return true, nil
	}
	t := *p
	var parts [3]chain
	fromEnd := false
	for n := 0; ; n++ {
		c, err := t.chain(false)
		if err != nil {
			return false, err
		}
		if n == 0 && (t.rest == "" || t.at(":")) {
			return false, nil // it was a time
		}
		parts[n] = c
		if n > 0 && (t.rest == "" || t.at(" ")) {
			p.rest = strings.TrimLeft(t.rest, " ")
			days := parts[:n+1]
			if n == 2 {
				if !days[0].years() {
					return false, errRange
				}
				days = days[1:]
			}
			if !days[0].within(1, 12, false) || !days[1].within(1, 31, fromEnd) {
				return false, errRange
			}
			return false, nil
		}
		switch {
		case n == 2 || fromEnd:
			return false, errDate
		case t.cut("~"):
			fromEnd = true
		case !t.cut("-"):
			return false, errDate
		}
	}
}

func (p *parser) time() error {
	if p.rest == "" {
		return nil
	}
	hour, err := p.chain(false)
	if err != nil {
		return err
	}
	if !p.cut(":") {
		return errTime
	}
	minute, err := p.chain(false)
	if err != nil {
		return err
	}
	second := chain(nil)
	if p.cut(":") {
		if second, err = p.chain(true); err != nil {
			return err
		}
	}
	if p.rest != "" {
		return errTime
	}
	if !hour.within(0, 23, false) || !minute.within(0, 59, false) || !second.within(0, 60*micro-1, false) {
		return errRange
	}
	return nil
}

// micro is how many microseconds, in which seconds are counted, a second has.
const micro = 1_000_000

// chain is a list such as 1,5..9/2; an empty one is *.
type chain []component

// component is a number, a range or a repetition: stop is -1 and repeat 0 where they are not written.
type component struct{ start, stop, repeat int64 }

// maxComponents is how many items a list may have.
const maxComponents = 240

func (p *parser) chain(seconds bool) (chain, error) {
	if p.cut("*") {
		return nil, nil
	}
	var c chain
	for {
		if len(c) > maxComponents {
			return nil, errors.New("the list is too long")
		}
		item := component{stop: -1}
		var ok bool
		if item.start, ok = p.value(seconds); !ok {
			return nil, errNumber
		}
		unit := int64(1)
		if seconds {
			unit = micro
		}
		if p.cut("..") {
			if item.stop, ok = p.value(seconds); !ok {
				return nil, errNumber
			}
			item.repeat = unit
		}
		if p.cut("/") {
			if item.repeat, ok = p.value(seconds); !ok {
				return nil, errNumber
			}
			if item.repeat == 0 {
				return nil, errRange
			}
		} else if seconds && item.stop >= 0 && item.start+item.repeat > item.stop {
			return nil, errRange
		}
		if p.rest != "" && !p.at(" ,-~:") {
			return nil, errors.New("a character that has no place there")
		}
		c = append(c, item)
		if !p.cut(",") {
			return c, nil
		}
	}
}

// value is a number, in microseconds where it is one of seconds, which may have a fraction.
func (p *parser) value(seconds bool) (int64, bool) {
	v, ok := p.number()
	if !ok || !seconds {
		return v, ok
	}
	v *= micro
	if p.at(".") && !strings.HasPrefix(p.rest, "..") {
		p.rest = p.rest[1:]
		scale := int64(micro)
		digit, next := int64(0), 0
		for ; next < len(p.rest) && p.rest[next] >= '0' && p.rest[next] <= '9'; next++ {
			digit = int64(p.rest[next] - '0')
			if scale > 1 {
				scale /= 10
				v += digit * scale
			} else if scale == 1 {
				if scale = 0; digit >= 5 { // the first one too small to count is rounded
					v++
				}
			}
		}
		p.rest = p.rest[next:]
		if next == 0 {
			return 0, false
		}
	}
	return v, true
}

// number is a whole number that fits a C int.
func (p *parser) number() (int64, bool) {
	v, n := int64(0), 0
	for ; n < len(p.rest) && p.rest[n] >= '0' && p.rest[n] <= '9'; n++ {
		if v = v*10 + int64(p.rest[n]-'0'); v > math.MaxInt32 {
			return 0, false
		}
	}
	p.rest = p.rest[n:]
	return v, n > 0
}

// years says that all are from 1970 to 2199, two digits being in this century or the last.
func (c chain) years() bool {
	full := make(chain, len(c))
	for i, item := range c {
		item.start, item.stop = century(item.start), century(item.stop)
		full[i] = item
	}
	return full.within(1970, 2199, false)
}

func century(year int64) int64 {
	switch {
	case year >= 0 && year < 70:
		return year + 2000
	case year >= 70 && year < 100:
		return year + 1900
	}
	return year
}

// within says that all numbers lie between two, and that each repetition comes at least once. Days from the
// end of a month are counted down.
func (c chain) within(from, to int64, fromEnd bool) bool {
	for _, item := range c {
		if item.stop > item.start && item.repeat > 0 {
			item.stop -= (item.stop - item.start) % item.repeat
		}
		if item.repeat > 0 && item.stop >= 0 && item.start+item.repeat > item.stop || item.start == item.stop {
			item.repeat, item.stop = 0, -1
		}
		switch {
		case item.start < from || item.start > to || item.repeat > to-from,
			item.stop >= 0 && (item.stop < from || item.stop > to || item.start+item.repeat > item.stop),
			item.stop < 0 && fromEnd && item.start-item.repeat < from,
			item.stop < 0 && !fromEnd && item.start+item.repeat > to:
			return false
		}
	}
	return true
}
