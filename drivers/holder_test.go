package drivers_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"traveler.example/drivers"
)

func TestHolderOf(t *testing.T) {
	node := filepath.Join(t.TempDir(), "ttyX")
	f, err := os.Create(node)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if h, ok := drivers.HolderOf(os.DirFS("/proc"), node); ok {
		t.Errorf("held by %v, but only this test has it", h)
	}
	real, err := filepath.EvalSymlinks(node)
	if err != nil {
		t.Fatal(err)
	}
	link := func(target string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(target), Mode: os.ModeSymlink | 0o777}
	}
	for _, tt := range []struct {
		name string
		proc fstest.MapFS
		want string
	}{
		{"open", fstest.MapFS{"812/fd/3": link(real), "812/comm": {Data: []byte("screen\n")}}, "screen (process 812)"},
		{"of a hostile name", fstest.MapFS{"813/fd/3": link(real), "813/comm": {Data: []byte("\x1b[2Jx\n")}}, "[2Jx (process 813)"},
		{"nameless", fstest.MapFS{"812/fd/3": link(real)}, "process 812"},
		{"another port", fstest.MapFS{"812/fd/3": link("/dev/ttyS9")}, ""},
		{"odd locks", fstest.MapFS{"locks": {Data: []byte("1: FLOCK\n2: FLOCK  ADVISORY  WRITE x 00:05:1 0 EOF\n")}}, ""},
	} {
		h, ok := drivers.HolderOf(tt.proc, node)
		if ok != (tt.want != "") || ok && h.String() != tt.want {
			t.Errorf("%s: %v %v, want %q", tt.name, h, ok, tt.want)
		}
	}
}
