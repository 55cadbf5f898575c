package profiles

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

//go:embed boards/*.toml stations/*.toml
var builtIn embed.FS

// Kind is one of the two kinds of profiles a gateway's file composes.
type Kind string

// The kinds, as the key that names one is called.
const (
	KindBoard   Kind = "board"
	KindStation Kind = "station"
)

// Source is the text of one profile file.
type Source struct {
	// Name is what errors and origins call it.
	Name string
	// Dir is the directory that its relative paths start from, empty for
	// the directory of the gateway's own file.
	Dir  string
	Text []byte
}

// A Resolver finds the board or station profile that a gateway's file names by ref.
// ErrNotFound, wrapped or not, makes the error list the built-in names.
type Resolver func(kind Kind, ref string) (Source, error)

// ErrNotFound is what a [Resolver] returns for a name it does not know.
var ErrNotFound = errors.New("no such profile")

// BuiltIn is the [Resolver] of the profiles that come with Traveler.
func BuiltIn(kind Kind, ref string) (Source, error) {
	text, err := builtIn.ReadFile(path.Join(string(kind)+"s", ref+".toml"))
	if err != nil || strings.Contains(ref, "/") {
		return Source{}, fmt.Errorf("%w: %s", ErrNotFound, ref)
	}
	return Source{Name: fmt.Sprintf("built-in %s %s", kind, ref), Text: text}, nil
}

// Files returns a [Resolver] that finds built-in profiles by name and others by their
// path, relative to dir. What has a slash or ends in .toml is a path.
func Files(dir string) Resolver {
	return func(kind Kind, ref string) (Source, error) {
		if !strings.Contains(ref, "/") && !strings.HasSuffix(ref, ".toml") {
			return BuiltIn(kind, ref)
		}
		file := absolute(dir, ref)
		text, err := readFile(file)
		return Source{Name: file, Dir: filepath.Dir(file), Text: text}, err
	}
}

// Entry is a built-in profile.
type Entry struct {
	Name string
	// Description is the profile's own line about itself.
	Description string
}

// Boards lists the built-in board profiles by name.
func Boards() []Entry { return entries(KindBoard) }

// Stations lists the built-in station profiles by name.
func Stations() []Entry { return entries(KindStation) }

func entries(kind Kind) []Entry {
	files, _ := fs.Glob(builtIn, string(kind)+"s/*.toml") // the pattern is well formed
	list := make([]Entry, len(files))
	for i, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".toml")
		source, _ := BuiltIn(kind, name) // it was listed just now
		list[i] = Entry{Name: name}
		if root, _ := parseDocument(source); root != nil {
			list[i].Description = root.textOf("description")
		}
	}
	return list
}

// Load reads the profile of a gateway and all that it names. Relative paths in a
// file start from that file's directory. If the profile is wrong in any way the error is [Faults].
func Load(file string) (Profile, error) {
	text, err := readFile(file)
	if err != nil {
		return Profile{}, fmt.Errorf("profile: %w", err)
	}
	full, err := filepath.Abs(file)
	if err != nil {
		return Profile{}, fmt.Errorf("profile: %w", err)
	}
	dir := filepath.Dir(full)
	return compose(Source{Name: file, Dir: dir, Text: text}, Files(dir))
}

// Parse is [Load] for a text that is called name in errors; relative paths in it
// start from the directory of name. It reads no file; resolve may.
func Parse(name string, text []byte, resolve Resolver) (Profile, error) {
	return compose(Source{Name: name, Dir: filepath.Dir(name), Text: text}, resolve)
}

// readFile reads a profile file, which is small.
func readFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFileSize+1))
}

// compose merges a gateway's own profile over its station's and its board's and checks the whole.
func compose(main Source, resolve Resolver) (Profile, error) {
	own, faults := parseDocument(main)
	if own == nil {
		return Profile{}, faults
	}
	c := composer{dirs: map[string]string{main.Name: main.Dir}, main: main, faults: faults}
	root := merge(c.layer(own, KindBoard, resolve), c.layer(own, KindStation, resolve))
	root = merge(root, own)
	delete(root.table, "description")
	dropped(root)

	b := binder{origins: make(map[string]Origin)}
	var p Profile
	b.bind(root, reflect.ValueOf(&p).Elem(), "", "")
	p.origins = b.origins
	k := checker{p: &p, main: main.Name, dirs: c.dirs, faults: append(c.faults, b.faults...), partial: c.partial}
	k.check()
	if len(k.faults) > 0 {
		return Profile{}, k.faults.sorted(main.Name)
	}
	return p, nil
}

// composer gathers the layers of a profile.
type composer struct {
	main   Source
	dirs   map[string]string // of each file, by its name in origins
	faults Faults
	// partial says that a layer could not be read.
	partial bool
}

// layer returns the tree of the profile that own names under kind, nil if none.
func (c *composer) layer(own *node, kind Kind, resolve Resolver) *node {
	ref := own.table[string(kind)]
	if ref == nil || ref.kind != kindText {
		return nil // what is no text is reported when it is bound
	}
	source, err := resolve(kind, ref.text)
	if err != nil {
		c.faults, c.partial = append(c.faults, c.notFound(ref, kind, err)), true
		return nil
	}
	c.dirs[source.Name] = source.Dir
	if source.Dir == "" {
		c.dirs[source.Name] = c.main.Dir
	}
	root, faults := parseDocument(source)
	c.faults = append(c.faults, faults...)
	if root == nil {
		c.partial = true
		return nil
	}
	for _, key := range []string{"gateway", "board", "station"} {
		if n := root.table[key]; n != nil {
			c.faults = append(c.faults, Fault{
				Origin: n.key, Key: key, Problem: "stands in a " + string(kind) + " profile; only a gateway's own file has it",
				Remedy: "move it to " + c.main.Name,
			})
			delete(root.table, key)
		}
	}
	return root
}

func (c *composer) notFound(ref *node, kind Kind, err error) Fault {
	f := Fault{Origin: ref.at, Key: string(kind)}
	if !errors.Is(err, ErrNotFound) {
		f.Problem = fmt.Sprintf("is %q, which cannot be read: %v", clipped(ref.text), err)
		f.Remedy = "write the path of a file, relative to this one, or a built-in name"
		return f
	}
	var names []string
	for _, e := range entries(kind) {
		names = append(names, e.Name)
	}
	f.Problem = fmt.Sprintf("is %q, which is no built-in %s", clipped(ref.text), kind)
	f.Remedy = suggestOr(ref.text, names) + " (a file of your own is named by its path: \"./" + string(kind) + ".toml\")"
	return f
}

// dropped removes the devices that a higher layer switched off by "none".
func dropped(root *node) {
	none := func(n *node) bool {
		return n.textOf("device") == "none" || n.textOf("kind") == "none" || n.textOf("pin") == "none"
	}
	for _, key := range []string{"reader", "light", "buzzer", "button"} {
		if list := root.table[key]; list != nil && list.kind == kindList {
			kept := slices.DeleteFunc(slices.Clone(list.list), none)
			root.table[key] = &node{kind: kindList, key: list.key, at: list.at, list: kept}
			if len(kept) == 0 {
				delete(root.table, key)
			}
		}
	}
	if scale := root.table["scale"]; scale != nil && none(scale) {
		delete(root.table, "scale")
	}
}

// absolute returns file, or file under dir if it is relative.
func absolute(dir, file string) string {
	if filepath.IsAbs(file) {
		return filepath.Clean(file)
	}
	return filepath.Join(dir, file)
}
