// Package systemd holds what a gateway needs of the system's manager: the unit, the user,
// the directories, the device rules and the journal's message catalog, as the
// installer puts them into place.
package systemd

import (
	_ "embed"
	"slices"
)

//go:embed travelerd.service
var unit []byte

//go:embed traveler-first-boot.service
var firstBoot []byte

//go:embed traveler.sysusers
var sysusers []byte

//go:embed traveler.tmpfiles
var tmpfiles []byte

//go:embed traveler.rules
var rules []byte

//go:embed traveler.modules
var modules []byte

//go:embed traveler.catalog
var catalog string

//go:embed traveler.de.catalog
var germanCatalog string

// File is one file and where it belongs.
type File struct {
	// Path is the place under the root of the system, absolute.
	Path string
	Text []byte
}

// Files returns all files to install, each readable by everybody (mode 0644).
func Files() []File {
	files := []File{
		{"/usr/lib/systemd/system/travelerd.service", unit},
		{"/usr/lib/systemd/system/traveler-first-boot.service", firstBoot},
		{"/usr/lib/sysusers.d/traveler.conf", sysusers},
		{"/usr/lib/tmpfiles.d/traveler.conf", tmpfiles},
		{"/usr/lib/udev/rules.d/60-traveler.rules", rules},
		{"/usr/lib/modules-load.d/traveler.conf", modules},
		{"/usr/lib/systemd/catalog/traveler.catalog", []byte(catalog)},
		// journalctl takes the language from the name of the file.
		{"/usr/lib/systemd/catalog/traveler.de.catalog", []byte(germanCatalog)},
	}
	for i := range files {
		files[i].Text = slices.Clone(files[i].Text)
	}
	return files
}

// Catalog returns the message catalog: what each event means and what to do about it.
func Catalog() string { return catalog }

// GermanCatalog returns the same in German. journalctl shows it where the
// language of messages is German and the locale is installed (LC_MESSAGES of locale(7)).
func GermanCatalog() string { return germanCatalog }
