package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"traveler.example/ledger/replica"
)

func diffDumps(t *testing.T, a, b *gateway) {
	time.Sleep(6 * time.Second)
	for _, g := range []*gateway{a, b} {
		s, err := g.desk().Status(t.Context())
		fmt.Printf("DIFF %s %.8s %v\n", g.name, s.Views, err)
	}
	lines := func(g *gateway) map[string]bool {
		g.stop()
		r, err := replica.Open(filepath.Join(g.dir, "data"), replica.Options{Genesis: g.plant.Genesis, ReadOnly: true})
		ok(t, err)
		defer r.Close()
		var w bytes.Buffer
		ok(t, r.Dump(&w))
		out := map[string]bool{}
		for _, l := range strings.Split(w.String(), "\n") {
			out[l] = true
		}
		return out
	}
	x, y := lines(a), lines(b)
	for l := range x {
		if !y[l] {
			fmt.Printf("DIFF only %s: %.180s\n", a.name, l)
		}
	}
	for l := range y {
		if !x[l] {
			fmt.Printf("DIFF only %s: %.180s\n", b.name, l)
		}
	}
}
