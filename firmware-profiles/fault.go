package profiles

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxFaults bounds what one bad file can make of an error.
const maxFaults = 100

// Fault is one thing wrong in a profile.
type Fault struct {
	// Origin is where: the key for an unknown key, the value for a wrong value,
	// the table for a missing key.
	Origin
	// Key is the dotted key, empty for a fault of the whole file.
	Key string
	// Problem says what is wrong and by which rule, Remedy what to write instead.
	Problem, Remedy string
}

// Error gives the fault as one line: file:line:column: key "x" problem; remedy.
func (f Fault) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: ", f.File, f.Line, f.Column)
	if f.Key != "" {
		fmt.Fprintf(&b, "key %q ", f.Key)
	}
	b.WriteString(f.Problem)
	if f.Remedy != "" {
		b.WriteString("; " + f.Remedy)
	}
	return b.String()
}

// Faults are all that is wrong in a profile, in the order of the files.
type Faults []Fault

// Error gives one line for each fault.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted returns fs with the faults of the file called first in front, each file by
// line and column, repeats left out and cut at maxFaults.
func (fs Faults) sorted(first string) Faults {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		if a.File != b.File {
			switch first {
			case a.File:
				return -1
			case b.File:
				return 1
			}
		}
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Key, b.Key), cmp.Compare(a.Problem, b.Problem))
	})
	fs = slices.Compact(fs)
	return fs[:min(len(fs), maxFaults)]
}

// suggest returns a question for the nearest of known to word, or "" if none is near.
func suggest(word string, known []string) string {
	best, distance := "", max(2, len(word)/3)+1
	if len(word) > 64 {
		return ""
	}
	for _, k := range slices.Sorted(slices.Values(known)) {
		d := editDistance(word, k)
		if len(word) > 2 && len(k) > 2 && (strings.HasPrefix(word, k) || strings.HasPrefix(k, word)) {
			d = 1 // a word cut short or gone on with is near, however long the rest
		}
		if d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// suggestOr is suggest, or else the whole choice.
func suggestOr(word string, known []string) string {
	if s := suggest(word, known); s != "" {
		return s
	}
	return "one of " + quotedList(known)
}

// quotedList writes words as "a", "b", "c".
func quotedList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(quoted, ", ")
}

// editDistance is the optimal string alignment distance of a and b in bytes: insertions,
// deletions, substitutions and swaps of neighbours count one each.
func editDistance(a, b string) int {
	older, old, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range old {
		old[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := old[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, old[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		older, old, row = old, row, older
	}
	return old[len(b)]
}
