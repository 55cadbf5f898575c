package profiles_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	profiles "traveler.example/firmware-profiles"
)

const digested = `gateway = "G-INSPECT"
board = "rpi-4"
station = "inspection"

[work]
station = "INSPECT-1"

[broker]
urls = ["mqtt://broker:1883"]
`

func digestOf(t *testing.T, text string) map[string]string {
	t.Helper()
	p, err := profiles.Parse("/etc/traveler/profile.toml", []byte(text), profiles.BuiltIn)
	if err != nil {
		t.Fatal(err)
	}
	return profiles.Digest(p)
}

// TestDigestSaysInWhatProfilesDiffer: by section, and not by how they are written.
func TestDigestSaysInWhatProfilesDiffer(t *testing.T) {
	t.Parallel()
	before := digestOf(t, digested)
	for name, c := range map[string]struct {
		old, now string
		want     []string
	}{
		"a comment":           {"[work]", "# a comment\n\n[work]", nil},
		"a default in words":  {"[broker]", "[offline]\nunknown_tag = \"wait\"\n\n[broker]", nil},
		"another broker":      {"broker:1883", "other:1883", []string{"broker"}},
		"a button more":       {"[broker]", "[[button]]\npin = \"button0\"\naction = \"cancel\"\n\n[broker]", []string{"button"}},
		"gateway and station": {"G-INSPECT\"", "G-2\"\nlog_level = \"warn\"", []string{"broker", "gateway", "log_level"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after := digestOf(t, strings.Replace(digested, c.old, c.now, 1))
			both := maps.Clone(before)
			maps.Copy(both, after)
			var differ []string
			for _, key := range slices.Sorted(maps.Keys(both)) {
				if before[key] != after[key] {
					differ = append(differ, key)
				}
			}
			if !slices.Equal(differ, c.want) {
				t.Errorf("they differ in %q, want %q", differ, c.want)
			}
		})
	}
}
