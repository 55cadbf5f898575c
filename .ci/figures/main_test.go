package main

import (
	"os"
	"strings"
	"testing"
)

func TestFiguresAreReadable(t *testing.T) {
	text, err := os.ReadFile("figures.txt")
	if err != nil {
		t.Fatal(err)
	}
	figures, err := parseFigures(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(figures) < 10 {
		t.Errorf("%d figures", len(figures))
	}
}

func TestTable(t *testing.T) {
	figures, err := parseFigures("a | scan to light | agent/x FigureA/x | p50-ratio | <= 1.35\nb | absent | agent FigureB | ratio | >= 5\nc | free | agent/x FigureA/x | ns/op | -")
	if err != nil {
		t.Fatal(err)
	}
	measured, err := parseBench(strings.NewReader(`goos: linux
pkg: traveler.example/agent/x
BenchmarkFigureA/x-2   100  2000 ns/op  1.5 p50-ratio
BenchmarkFigureA/x-2   100  1000 ns/op  1.3 p50-ratio
BenchmarkFigureA/x-2   100  3000 ns/op  1.4 p50-ratio
PASS`))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := table(&out, figures, measured); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1.4 p50-ratio **missed**", "not measured", "2000 ns/op"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestFiguresRefused(t *testing.T) {
	for _, text := range []string{"a | b", "a | b | c | d | about 5", "a | b | c | d | < 5"} {
		if _, err := parseFigures(text); err == nil {
			t.Errorf("%q: accepted", text)
		}
	}
}
