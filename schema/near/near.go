// Package near finds the word that was most likely meant by one that is misspelt.
package near

import "strings"

// Word is the one of some words that was most likely meant, or "". Upper and lower case are the same, and so
// are hyphen and underscore.
func Word(word string, words []string) string {
	word = fold(word)
	best, bestDistance := "", 1+max(1, min(3, len(word)/3))
	for _, w := range words {
		if len(w)-len(word) >= bestDistance || len(word)-len(w) >= bestDistance {
			continue
		}
		if d := distance(word, fold(w)); d < bestDistance {
			best, bestDistance = w, d
		}
	}
	return best
}

func fold(word string) string { return strings.ReplaceAll(strings.ToLower(word), "-", "_") }

// longest is how long a word may be, in bytes, to be compared at all.
const longest = 64

// distance is the number of letters to add, drop, change or swap with a neighbour.
func distance(a, b string) int {
	if len(a) > longest || len(b) > longest {
		return longest
	}
	var space [3][longest + 1]int
	rows := [3][]int{space[0][:len(b)+1], space[1][:len(b)+1], space[2][:len(b)+1]}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row := rows[0], rows[1], rows[2]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		rows = [3][]int{last, row, before}
	}
	return rows[1][len(b)]
}
