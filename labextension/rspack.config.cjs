// What the builder's own configuration lacks.
module.exports = {
  // TypeScript, by the compiler that the bundler carries.
  resolve: { extensions: ['.ts', '.js'] },
  module: {
    rules: [
      {
        test: /\.ts$/,
        type: 'javascript/auto',
        loader: 'builtin:swc-loader',
        options: { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' } }
      }
    ]
  },
  // third-party-licenses.json names no module that was merged into another.
  optimization: { concatenateModules: false }
};
