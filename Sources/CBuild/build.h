// The commit and date of a release build. `make build` links the function in (.ci/link-objects); other builds have none.
const char *edgetick_build(void) __attribute__((weak));

static inline const char *edgetick_build_or_null(void) { return edgetick_build ? edgetick_build() : 0; }
