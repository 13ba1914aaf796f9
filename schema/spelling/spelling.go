// Package spelling guesses which word somebody meant.
package spelling

import "strings"

// Nearest is the word of a list that was most likely meant, or "" if none is near. Case, and whether a hyphen or an
// underscore stands between two words, makes no difference.
func Nearest(word string, words []string) string {
	word = fold(word)
	best, bestDistance := "", 1+max(1, min(3, len(word)/3))
	for _, w := range words {
		if len(w)-len(word) >= bestDistance || len(word)-len(w) >= bestDistance {
			continue
		}
		if d := Distance(word, fold(w)); d < bestDistance {
			best, bestDistance = w, d
		}
	}
	if bestDistance > 1 { // discovery_url is discovery rather than discovery_srv
		longest := ""
		for _, w := range words {
			if len(w) > len(longest) && strings.HasPrefix(word, fold(w)+"_") {
				longest = w
			}
		}
		if longest != "" {
			return longest
		}
	}
	return best
}

// Distance is the number of letters to add, drop, change or swap with a neighbour.
func Distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
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

func fold(word string) string { return strings.ReplaceAll(strings.ToLower(word), "-", "_") }
