package systemd

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// install puts all files under a new root, with an executable where the unit expects the daemon.
func install(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, f := range Files() {
		place := filepath.Join(root, f.Path)
		if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(place, f.Text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// tool runs a program of systemd and returns all it says.
func tool(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed (Debian package systemd): left out", name)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out), err
}

func TestUnitIsValid(t *testing.T) {
	root := install(t)
	daemon := filepath.Join(root, "travelerd")
	if err := os.WriteFile(daemon, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "travelerd.service")
	text := strings.Replace(string(unit), "/usr/bin/travelerd", daemon, 1)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := tool(t, "systemd-analyze", "verify", "--man=no", file)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(out, "travelerd.service") {
		t.Errorf("complaints about the unit:\n%s", out)
	}
}

func TestFirstBootUnitIsValid(t *testing.T) {
	file := filepath.Join(install(t), "/usr/lib/systemd/system/traveler-first-boot.service")
	out, err := tool(t, "systemd-analyze", "verify", "--man=no", file)
	if err != nil || strings.Contains(out, "traveler-first-boot.service") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestUnitIsHardened(t *testing.T) {
	root := install(t)
	file := filepath.Join(root, "/usr/lib/systemd/system/travelerd.service")
	// In tenths: 20 is "OK" of systemd-analyze; above it the command fails.
	out, err := tool(t, "systemd-analyze", "security", "--offline=true", "--threshold=20", file)
	t.Log(regexp.MustCompile(`Overall exposure level.*`).FindString(out))
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestUserDirectoriesAndRulesAreAccepted(t *testing.T) {
	root := install(t)
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := tool(t, "systemd-sysusers", "--root="+root); err != nil {
		t.Fatalf("sysusers: %v\n%s", err, out)
	}
	passwd, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	if err != nil || !strings.Contains(string(passwd), "traveler:") {
		t.Errorf("no user traveler: %v\n%s", err, passwd)
	}
	if os.Geteuid() != 0 {
		t.Skip("directories of other users need root: left out")
	}
	if out, err := tool(t, "systemd-tmpfiles", "--root="+root, "--create", "traveler.conf"); err != nil {
		t.Fatalf("tmpfiles: %v\n%s", err, out)
	}
	info, err := os.Stat(filepath.Join(root, "etc/traveler/roster"))
	if err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("roster directory: %v, %v", info, err)
	}
}

func TestCatalogsAreAcceptedByTheJournal(t *testing.T) {
	root := install(t)
	if err := os.MkdirAll(filepath.Join(root, "var/lib/systemd/catalog"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := tool(t, "journalctl", "--update-catalog", "--root="+root); err != nil || out != "" {
		t.Fatalf("%v\n%s", err, out)
	}
	// journalctl asks a locale for its name only, so C's content does for German.
	locales := t.TempDir()
	if err := os.Symlink("/usr/lib/locale/C.utf8", filepath.Join(locales, "de_DE.UTF-8")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LOCPATH", locales)
	for _, c := range []struct {
		locale, catalog string
		parts           []string
	}{
		{"C", Catalog(), []string{"What happened:", "What it means:", "What to do:"}},
		{"de_DE.UTF-8", GermanCatalog(), []string{"Was geschehen ist:", "Was das bedeutet:", "Was zu tun ist:"}},
	} {
		t.Setenv("LC_ALL", c.locale)
		out, err := tool(t, "journalctl", "--dump-catalog", "--root="+root)
		if err != nil {
			t.Fatalf("%s: %v\n%s", c.locale, err, out)
		}
		ids := regexp.MustCompile(`(?m)^-- ([0-9a-f]{32})$`).FindAllString(c.catalog, -1)
		for _, id := range ids {
			if !strings.Contains(out, id) {
				t.Errorf("%s: the compiled catalog has no %s", c.locale, id)
			}
		}
		for _, part := range c.parts {
			if got := strings.Count(out, part); got != len(ids) {
				t.Errorf("%s: the compiled catalog has %q %d times, want %d", c.locale, part, got, len(ids))
			}
		}
		if strings.Contains(out, "# ") {
			t.Errorf("%s: comments have become text of the compiled catalog", c.locale)
		}
	}
}

func TestFilesAreCopies(t *testing.T) {
	files := Files()
	files[0].Text[0] ^= 0xff
	if Files()[0].Text[0] == files[0].Text[0] {
		t.Error("changing a returned file changed the next")
	}
}
