// The layout of the contract, a plugin of Swagger UI: operations come before prose, and the bar has the credentials.

export const layout = ({ description, onDrawn }) => ({ React }) => ({
  components: {
    authorizeOperationBtn: () => null,
  },

  wrapComponents: {
    InfoContainer: (InfoContainer, { getComponent }) => (props) => {
      const Markdown = getComponent("Markdown", true);
      return React.createElement(React.Fragment, null,
        React.createElement(InfoContainer, props),
        React.createElement("details", { className: "conventions" },
          React.createElement("summary", null, "Conventions of all operations"),
          React.createElement(Markdown, { source: description })));
    },

    operations: (Operations) => (props) => {
      React.useLayoutEffect(onDrawn, []);
      return React.createElement(Operations, props);
    },
  },
});
