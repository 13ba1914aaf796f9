package accounts

import (
	"bytes"
	"sort"
	"strconv"
	"strings"
)

// ids hands out uids, or gids.
type ids struct {
	used           map[int]bool
	min, max       int
	sysMin, sysMax int
	next           int // the highest used id of the range plus one
	sysNext        int // the lowest used id of the system's range minus one
	free, sysFree  int // no id below free, or above sysFree, is free in its range
}

func newIDs(low, high, sysLow, sysHigh int) *ids {
	return &ids{used: map[int]bool{}, min: low, max: high, sysMin: sysLow, sysMax: sysHigh, next: low, sysNext: sysHigh, free: low, sysFree: sysHigh}
}

// use marks an id as taken.
func (s *ids) use(id int) {
	s.used[id] = true
	if s.min <= id && id <= s.max && id >= s.next {
		s.next = id + 1
	}
	if s.sysMin <= id && id <= s.sysMax && id <= s.sysNext {
		s.sysNext = id - 1
	}
}

// take hands out an id as shadow-utils chooses it; ok is false if none is free.
func (s *ids) take(system bool) (id int, ok bool) {
	if system {
		id = s.sysNext
		if id < s.sysMin {
			for s.sysFree >= s.sysMin && s.used[s.sysFree] {
				s.sysFree--
			}
			id = s.sysFree
		}
		ok = id >= s.sysMin && id <= s.sysMax
	} else {
		id = s.next
		if id > s.max {
			for s.free <= s.max && s.used[s.free] {
				s.free++
			}
			id = s.free
		}
		ok = id >= s.min && id <= s.max
	}
	if ok {
		s.use(id)
	}
	return id, ok
}

// takeLike hands out the id that is asked for if it is free and of the range, else any. A system id may lie
// below its range.
func (s *ids) takeLike(id int, system bool) (int, bool) {
	low, high := s.min, s.max
	if system {
		low, high = 1, s.sysMax
	}
	if low <= id && id <= high && !s.used[id] {
		s.use(id)
		return id, true
	}
	return s.take(system)
}

// subIDs hands out ranges of subordinate ids: the first gap that is large enough.
type subIDs struct {
	owners   map[string]bool
	taken    []span // sorted, those not passed yet
	low, max int
	count    int
}

type span struct{ first, count int }

func newSubIDs(text []byte, low, high, count int) *subIDs {
	s := &subIDs{owners: map[string]bool{}, low: low, max: high, count: count}
	for raw := range bytes.Lines(text) {
		f := strings.Split(strings.TrimSuffix(string(raw), "\n"), ":")
		if len(f) != 3 {
			continue
		}
		first, err := strconv.ParseUint(f[1], 10, 32)
		n, err2 := strconv.ParseUint(f[2], 10, 32)
		if err != nil || err2 != nil {
			continue
		}
		s.owners[f[0]] = true
		s.taken = append(s.taken, span{int(first), int(n)})
	}
	sort.Slice(s.taken, func(i, j int) bool { return s.taken[i].first < s.taken[j].first })
	return s
}

// take hands out the first id of a free range.
func (s *subIDs) take() (first int, ok bool) {
	for len(s.taken) > 0 && s.taken[0].first-s.low < s.count {
		s.low = max(s.low, s.taken[0].first+s.taken[0].count)
		s.taken = s.taken[1:]
	}
	if s.low+s.count-1 > s.max {
		return 0, false
	}
	first = s.low
	s.low += s.count
	return first, true
}
