// Search for operations, a plugin of Swagger UI, which by itself finds tags and paths only.

export function search({ React }) {
  const h = React.createElement;

  return {
    fn: { opsFilter: filterOperations },

    components: {
      FilterContainer({ layoutSelectors, layoutActions }) {
        const phrase = layoutSelectors.currentFilter();
        return h("search", { className: "wrapper" }, h("input", {
          id: "search",
          type: "search",
          "aria-label": "Search operations",
          placeholder: "Search operations by name, path or words of their descriptions",
          defaultValue: phrase === true ? "" : phrase,
          onChange: ({ target }) => layoutActions.updateFilter(target.value.trim() || true),
        }));
      },
    },

    wrapComponents: {
      operations: (Operations) => (props) => {
        const phrase = props.layoutSelectors.currentFilter();
        const found = props.specSelectors.taggedOperations().reduce((sum, tag) => sum + tag.get("operations").size, 0);
        const message = found === 0 ? `No operation matches “${phrase}”.` : `${found} ${found === 1 ? "operation matches" : "operations match"}.`;
        return h(React.Fragment, null,
          h("p", { className: "wrapper found", role: "status" }, phrase === true ? "" : message),
          found === 0 ? null : h(Operations, props));
      },
    },

    statePlugins: {
      // A tag that the reader has closed would hide what was found. The wrapped selector has the state already.
      layout: {
        wrapSelectors: {
          isShown: (isShown) => (state, thing, byDefault) =>
            (thing[0] === "operations-tag" && state.get("filter") !== true) || isShown(thing, byDefault),
        },
      },
    },
  };
}

// Returns the tags with the operations that have all words of the phrase, regardless of case.
function filterOperations(tags, phrase) {
  const words = phrase.toLowerCase().split(/\s+/);
  return tags
    .map((tag, name) => tag.update("operations", (operations) => operations.filter((each) => hasWords(each, name, words))))
    .filter((tag) => tag.get("operations").size > 0);
}

function hasWords(each, tag, words) {
  const operation = each.get("operation");
  const members = ["operationId", "summary", "description"].map((name) => operation.get(name));
  const text = [tag, each.get("method"), each.get("path"), ...members].join("\n").toLowerCase();
  return words.every((word) => text.includes(word));
}
